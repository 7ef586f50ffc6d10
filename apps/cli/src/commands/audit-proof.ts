import { Command } from 'commander';
import { verifyProof } from '#audit/verify-proof';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { linkToSeen } from '../proof-link.js';
import { writeWholeFile } from '../rootfs-file.js';
import { openKnown, readVerifier } from '../audit-input.js';
import { verifiedText } from '../verified-text.js';

interface Options {
  readonly ref?: string;
  readonly record?: string;
  readonly key?: string;
  readonly checkpoint?: string;
  readonly output?: string;
}

/** `varve audit proof --ref REF [--at WHEN]`, `varve audit proof --record POSITION` */
export function auditProofCommand(run: Run): Command {
  const command = new Command('proof')
    .description(
      'Writes a file that shows what a ref pointed at, when and by whom it was set, and that nothing moved it since; ' +
        'or with --record what became of a record. The file is linked to the last checkpoint that this machine has seen.',
    )
    .option('--ref <ref>', 'the branch or tag: main, heads/main, tags/v3')
    .option('--record <position>', 'a record instead of a ref, as varve audit log names it')
    .option('--key <key>', 'check it with this public key (a file or the text), not with what the server says')
    .option('--checkpoint <file>', 'link it to this checkpoint instead of the last one seen')
    .option('-o, --output <file>', 'where to write it; - for standard output', 'varve.tlog-proof')
    .action(
      run<Options>(async (session, { ref, record, key, checkpoint, output: path = '-' }) => {
        const { client, output, at } = session;
        const question =
          record === undefined ? { repo: await session.repository(), ref: ref ?? 'main', at } : { record };
        const verifier = await readVerifier(key ?? (await client.audit.key()));
        const known = checkpoint === undefined ? undefined : await openKnown(checkpoint, verifier);
        const text = await linkToSeen(client, await client.audit.proof(question), { verifier, known });
        const verified = verifyProof(text, verifier);
        const bytes = Buffer.from(text);
        if (path === '-') return output.bytes(bytes);
        await writeWholeFile(path, [{ from: 0, chunks: async function* () { yield bytes; } }], () => undefined); // prettier-ignore
        await output.answer(
          { file: path, bytes: bytes.length, position: verified.entry.offset },
          () => `${verifiedText(verified)}\nwrote ${path}`,
        );
      }),
    );
  return withHelp(
    command.summary('write a proof of what a ref pointed at'),
    [
      'varve audit proof --repo app --ref tags/v3 --at 2026-11-01 -o v3.tlog-proof',
      'varve audit proof --record l0a1b2c3d4.0.17 -o -',
    ],
    [1, 2, 3, 5, 7],
  );
}
