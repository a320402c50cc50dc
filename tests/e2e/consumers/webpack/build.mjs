/** Builds the page with webpack, for production, without a plug-in or a loader. */

import webpack from "webpack";

const compiler = webpack({
  mode: "production",
  target: ["web", "es2022"],
  context: import.meta.dirname,
  entry: { main: "./src/main.mjs", lean: "../esbuild/src/lean.mjs" },
  output: { path: `${import.meta.dirname}/dist` },
  resolve: { modules: [`${import.meta.dirname}/node_modules`, "node_modules"] },
});

compiler.run((error, stats) => {
  if (error) throw error;
  console.log(stats?.toString());
  if (stats?.hasErrors() || stats?.hasWarnings()) process.exitCode = 1;
  compiler.close(() => {});
});
