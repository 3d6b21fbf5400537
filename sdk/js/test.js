#!/usr/bin/env node
// Runs the tests of a plugin under Node: `node sdk/js/test.js plugin.test.ts …`. Each is bundled first, with what a
// component imports from the gateway left for `testing.js` to play.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

// The plugin's own, wherever this file lies.
const { build } = createRequire(join(process.cwd(), "plugin.js"))("esbuild");

const gateway = {
  name: "gateway",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^tidegate:/ }, ({ path }) => ({ path, namespace: "gateway" }));
    onLoad({ filter: /.*/, namespace: "gateway" }, () => ({ contents: "export default {};" }));
  },
};

const folder = mkdtempSync(join(tmpdir(), "plugin-"));
try {
  const entryPoints = process.argv.slice(2);
  const bundled = entryPoints.map((path) => join(folder, basename(path).replace(/\.[jt]s$/, ".mjs")));
  await build({
    entryPoints,
    bundle: true,
    format: "esm",
    platform: "node",
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    plugins: [gateway],
    logLevel: "warning",
  });
  process.exitCode = spawnSync(process.execPath, ["--test", ...bundled], { stdio: "inherit" }).status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
