// Files that build.mjs writes.
declare module "*/constants.json" {
  const found: import("./settings.js").Found;
  export default found;
}

declare module "*/engines.json" {
  const found: Record<
    import("./orders.js").Backend,
    { module: string; glue: string; wasm: string } & import("./settings.js").FileInfo
  >;
  export default found;
}
