// All that needs no browser: what the worker runs, and what the tests run in Node.
export * from "./boxes.js";
export * from "./crops.js";
export * from "./decode.js";
export * from "./engine.js";
export * from "./motion.js";
export * from "./online.js";
export * from "./settings.js";
export * from "./target.js";
export * from "./tracker.js";
