// `npm run proto [-- FOLDER]`: makes libs/proto/src/gen (or FOLDER) from proto/, all of it and nothing else.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('../..', import.meta.url).pathname;
const committed = join(root, 'libs/proto/src/gen');
const out = process.argv[2] ?? committed;
const buf = join(root, 'node_modules/.bin/buf');
const run = (...args) => execFileSync(buf, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });

const template = readFileSync(join(root, 'buf.gen.yaml'), 'utf8').replace('libs/proto/src/gen', out);
const folder = mkdtempSync(join(tmpdir(), 'varve-proto-'));
try {
  const path = join(folder, 'buf.gen.yaml');
  writeFileSync(path, template);
  run('generate', '--template', path);
} finally {
  rmSync(folder, { recursive: true });
}
const descriptors = run('build', '--exclude-source-info', '--as-file-descriptor-set', '-o', '-#format=binpb');
const lines = descriptors.toString('base64').match(/.{1,110}/g);
writeFileSync(
  join(out, 'descriptor-set.ts'),
  `/** The google.protobuf.FileDescriptorSet of proto/, for reflection. Made by npm run proto. */
export const descriptorSet = Buffer.from(
  [
${lines.map((line) => `    '${line}',`).join('\n')}
  ].join(''),
  'base64',
);
`,
);
