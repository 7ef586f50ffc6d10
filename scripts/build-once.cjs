// Builds what `npm run start:gateway` and its like start, unless it is there: several of them may be started at once, and
// a build throws away what the others run. After a change of the sources, run `npm run build` while none of them runs.
const { execFileSync } = require('node:child_process');
const { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');

require('./check-node.cjs');

const built = 'dist/.complete';
const building = '.cache/building';
const waitMs = 500;

while (!existsSync(built)) {
  if (take()) {
    try {
      execFileSync('npm', ['run', 'build', '--silent'], { stdio: 'inherit' });
    } finally {
      rmSync(building);
    }
  } else {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs);
  }
}

/** One builds, the others wait for it; one that was killed is no builder any more. */
function take() {
  mkdirSync('.cache', { recursive: true });
  try {
    writeFileSync(building, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    if (existsSync(building) && !isAlive(Number(readFileSync(building, 'utf8')))) rmSync(building, { force: true });
    return false;
  }
}

function isAlive(pid) {
  if (pid === 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
