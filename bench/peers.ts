import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchImage } from './image-layers.js';
import type { Candidate } from './measure.js';
import { freePort } from './server.js';
import { shell } from './shell.js';

/** Other programs that make a flat tar of an image, on the same image; and those that are not here, with the reason. */
export interface Peers {
  readonly candidates: readonly Candidate[];
  readonly absent: readonly { readonly peer: string; readonly why: string }[];
  close(): void;
}

export async function peersFor(image: BenchImage, bytes: number, scratch: string): Promise<Peers> {
  const candidates: Candidate[] = [];
  const absent: { peer: string; why: string }[] = [];
  const crane = process.env['VARVE_BENCH_CRANE'] ?? 'crane';
  let registry: ChildProcess | undefined;
  if (runs(crane, 'version')) {
    const at = `127.0.0.1:${await freePort()}`;
    registry = spawn(crane, ['registry', 'serve', '--address', at], { stdio: 'ignore' });
    await shell('for n in $(seq 50); do "$1" push --insecure "$2" "$3" >/dev/null 2>&1 && exit; sleep 0.1; done; exit 1', crane, image.layout, `${at}/bench`); // prettier-ignore
    const run = (): Promise<void> => shell('"$1" export --insecure "$2" "$3"', crane, `${at}/bench`, join(scratch, 'crane.tar')); // prettier-ignore
    candidates.push({ name: '`crane export`', bytes, run });
  } else absent.push({ peer: '`crane export`', why: 'no `crane` in PATH or VARVE_BENCH_CRANE' });
  if (runs('umoci', '--version'))
    candidates.push({ name: '`umoci unpack` + `tar`', bytes, run: () => unpack(image, scratch) });
  else absent.push({ peer: '`umoci unpack`', why: 'no `umoci` in PATH' });
  const made: (() => void)[] = [() => void registry?.kill()];
  for (const engine of ['docker', 'podman']) {
    if (!runs(engine, 'info')) {
      absent.push({ peer: `\`${engine} export\``, why: `no ${engine} that runs` });
      continue;
    }
    const container = await createContainer(engine, image, scratch);
    made.push(() => execFileSync(engine, ['rm', container], { stdio: 'ignore' }));
    const run = (): Promise<void> => shell('"$1" export "$2" >"$3"', engine, container, join(scratch, 'export.tar'));
    candidates.push({ name: `\`${engine} export\``, bytes, run });
  }
  return { candidates, absent, close: () => made.forEach((end) => end()) };
}

async function unpack({ layout }: BenchImage, scratch: string): Promise<void> {
  const folder = mkdtempSync(join(scratch, 'umoci-'));
  const command = 'umoci unpack --rootless --image "$1" "$2/bundle" 2>/dev/null && tar -C "$2/bundle/rootfs" -cf "$2/flat.tar" .'; // prettier-ignore
  await shell(command, `${layout}:latest`, folder);
  rmSync(folder, { recursive: true });
}

/** Takes the image in and makes a container of it, which is not started. */
async function createContainer(engine: string, { name, layout }: BenchImage, scratch: string): Promise<string> {
  const reference = `varve-bench-${name}:latest`;
  const archive = join(scratch, 'docker.tar');
  await shell('skopeo copy --quiet "oci:$1" "docker-archive:$2:$3" && "$4" load --quiet -i "$2" >/dev/null && rm "$2"', layout, archive, reference, engine); // prettier-ignore
  return execFileSync(engine, ['create', reference, 'true'], { encoding: 'utf8' }).trim();
}

function runs(command: string, ...args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}
