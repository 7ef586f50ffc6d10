import { execFile } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { layer } from '../fixture/layer-builder.js';
import { grpcAddress } from '../journey/harness/grpc.js';
import { projectRoot, type Server, startServer } from '../journey/harness/server.js';

const run = promisify(execFile);
const example = join(projectRoot, 'examples/python');
const python = join(projectRoot, '.cache/examples/python/bin/python');

let server: Server;
let folder: string;
beforeAll(async () => {
  await install();
  folder = await mkdtemp(join(tmpdir(), 'varve-python-'));
  await generate(join(folder, 'gen'));
  server = await startServer();
});
afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('the example in Python, made from the proto files', () => {
  it('commits a layer and checks the commit out, byte for byte as the REST interface does', async () => {
    const built = layer({ 'etc/': null, 'etc/motd': 'from Python\n', large: 'x'.repeat(3 << 20) });
    const [input, output] = [join(folder, 'layer.tar'), join(folder, 'rootfs.tar')];
    await writeFile(input, built.tar);
    const { stdout } = await commitAndCheckout('example', input, output);
    const [commit, size] = stdout.trim().split(' ');
    const rest = await fetch(`${server.url}/api/v1/repos/example/commits/main/rootfs.tar`);
    expect(rest.headers.get('varve-commit')).toBe(commit);
    const bytes = await readFile(output);
    expect(bytes.length).toBe(Number(size));
    expect(bytes.equals(Buffer.from(await rest.arrayBuffer()))).toBe(true);
  });

  it('tells a refusal by our code', async () => {
    const input = join(folder, 'no.tar');
    await writeFile(input, Buffer.alloc(5_000, 1));
    await expect(commitAndCheckout('example', input, join(folder, 'none.tar'))).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^LAYER_INVALID: /) as string,
    });
  });

  function commitAndCheckout(repo: string, input: string, output: string) {
    const script = join(example, 'commit_and_checkout.py');
    return run(python, [script, grpcAddress(server), repo, input, output], {
      env: { ...process.env, PYTHONPATH: join(folder, 'gen') },
    });
  }
});

/** Once for a checkout of the project; the versions are pinned. */
async function install(): Promise<void> {
  if (existsSync(join(projectRoot, '.cache/examples/python/installed'))) return;
  const venv = join(projectRoot, '.cache/examples/python');
  await run('python3', ['-m', 'venv', venv]);
  await run(python, ['-m', 'pip', 'install', '--quiet', '--requirement', join(example, 'requirements.txt')]);
  await writeFile(join(venv, 'installed'), '');
}

async function generate(out: string): Promise<void> {
  await mkdir(out);
  const proto = join(projectRoot, 'proto');
  const files = globSync('**/*.proto', { cwd: proto });
  const args = ['-m', 'grpc_tools.protoc', '-I', proto, `--python_out=${out}`, `--grpc_python_out=${out}`];
  await run(python, [...args, ...files.map((file) => join(proto, file))]);
}
