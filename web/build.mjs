// Builds dist/, which npm packs, and site/, the static page, here or in another folder.
// node build.mjs [--python PYTHON] [--out FOLDER]; PYTHON has siamtrack installed
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = import.meta.dirname;
const option = (name, usual) => {
  const given = process.argv.indexOf(name);
  return given > 0 ? process.argv[given + 1] : usual;
};
const python = option("--python", "python3");
const out = path.resolve(option("--out", here));
const from = (...parts) => path.join(here, ...parts);
const at = (...parts) => path.join(out, ...parts);
const ORT = from("node_modules", "onnxruntime-web", "dist");
const STUDIO = from("..", "src", "siamtrack", "studio", "static");
const ENGINES = {
  wasm: ["ort.wasm.min.mjs", "ort-wasm-simd-threaded"],
  webgpu: ["ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify"],
};

for (const folder of ["dist", "site", "generated"]) fs.rmSync(at(folder), { recursive: true, force: true });
for (const folder of ["dist/ort", "site", "generated"]) fs.mkdirSync(at(folder), { recursive: true });

// What the Python package says: cards, settings, constants, graphs
const constants = execFileSync(python, [from("constants.py"), at("dist")], { encoding: "utf8" });
fs.writeFileSync(at("generated", "constants.json"), constants);

// The engines, packed, so that any host serves a quarter of their bytes
const engines = {};
for (const [name, [module, stem]] of Object.entries(ENGINES)) {
  const wasm = fs.readFileSync(path.join(ORT, `${stem}.wasm`));
  fs.writeFileSync(at("dist", "ort", `${stem}.wasm.gz`), gzipSync(wasm, { level: 9 }));
  for (const file of [module, `${stem}.mjs`]) fs.copyFileSync(path.join(ORT, file), at("dist", "ort", file));
  engines[name] = {
    module,
    glue: `${stem}.mjs`,
    wasm: `${stem}.wasm.gz`,
    bytes: wasm.length,
    sha256: createHash("sha256").update(wasm).digest("hex"),
  };
}
fs.writeFileSync(at("generated", "engines.json"), JSON.stringify(engines));

// The licenses of what is bundled: that of ONNX Runtime is in its Python package
const licenses = execFileSync(
  python,
  ["-c", "import onnxruntime, pathlib; print(pathlib.Path(onnxruntime.__file__).parent)"],
  { encoding: "utf8" },
).trim();
fs.copyFileSync(path.join(licenses, "LICENSE"), at("dist", "ort", "LICENSE"));
fs.copyFileSync(path.join(licenses, "ThirdPartyNotices.txt"), at("dist", "ort", "ThirdPartyNotices.txt"));
for (const file of ["LICENSE", "NOTICE"]) fs.copyFileSync(from("..", file), at(file));
if (out !== here) for (const file of ["package.json", "README.md"]) fs.copyFileSync(from(file), at(file));

// The module, its worker, and what Node can run
const written = {
  name: "written",
  setup: (each) => each.onResolve({ filter: /\/generated\// }, ({ path: name }) => ({ path: at("generated", path.basename(name)) })),
};
const shared = { plugins: [written], bundle: true, format: "esm", target: "es2022", legalComments: "inline", absWorkingDir: here };
const external = ["onnxruntime-web"];
await build({ ...shared, minify: true, external, outdir: at("dist"), entryPoints: { siamtrack: "src/index.ts", worker: "src/worker.ts" } });
await build({ ...shared, external, outdir: at("dist"), entryPoints: { core: "src/core.ts" } });
execFileSync(process.execPath, [from("node_modules", "typescript", "bin", "tsc"), "-p", from("tsconfig.types.json"), "--outDir", at("dist", "types")], { stdio: "inherit" });

// The page: one folder that any host serves
fs.cpSync(at("dist"), at("site"), { recursive: true, filter: (file) => !/[/\\](types|core\.js|siamtrack\.js)$/.test(file) });
await build({ ...shared, minify: true, outdir: at("site"), entryPoints: { page: "page/main.ts" } });
for (const file of ["base.css", "studio.css", "icon.svg"]) fs.copyFileSync(path.join(STUDIO, file), at("site", file));
for (const file of ["index.html", "page.css", "manifest.webmanifest"]) fs.copyFileSync(from("page", file), at("site", file));
for (const file of ["LICENSE", "NOTICE"]) fs.copyFileSync(from("..", file), at("site", file));

// The service worker knows every file, and is another one when a file changes
const files = fs.readdirSync(at("site"), { recursive: true, withFileTypes: true })
  .filter((each) => each.isFile())
  .map((each) => path.relative(at("site"), path.join(each.parentPath, each.name)).split(path.sep).join("/"))
  .sort();
const hash = createHash("sha256");
for (const file of files) hash.update(file).update(fs.readFileSync(at("site", file)));
const csp = fs.readFileSync(at("site", "index.html"), "utf8").match(/Content-Security-Policy" content="([^"]+)"/)[1];
const needed = files.filter((file) => !/asyncify|webgpu|ThirdParty|LICENSE|NOTICE/.test(file));
await build({
  ...shared, minify: true, outdir: at("site"), format: "iife", entryPoints: { sw: "page/sw.ts" },
  define: {
    VERSION: JSON.stringify(hash.digest("hex").slice(0, 16)),
    FILES: JSON.stringify(["./", ...needed]),
    POLICY: JSON.stringify(csp),
  },
});
const size = (names) => names.reduce((sum, file) => sum + fs.statSync(at("site", file)).size, 0);
console.log(JSON.stringify({ files: files.length, download: size(needed), webgpu: size(files.filter((file) => /asyncify|webgpu/.test(file))) }));
