// What `npm pack` would put into the archive.
// node pack.mjs BUILT
import { execFileSync } from "node:child_process";

const text = execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd: process.argv[2], encoding: "utf8" });
const [found] = [].concat(JSON.parse(text));
const packed = found.files ? found : Object.values(found)[0];
console.log(JSON.stringify({ name: packed.name, version: packed.version, size: packed.size, files: packed.files }));
