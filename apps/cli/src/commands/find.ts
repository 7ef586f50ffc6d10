import { Command, InvalidArgumentError, Option } from 'commander';
import { nameText } from '../entry-text.js';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { pathText, revisionAndPath } from '../path-text.js';

interface Options {
  readonly name?: string;
  readonly sha256?: string;
  readonly size?: SizeRange;
  readonly setuid?: boolean;
  readonly type?: string;
}

interface SizeRange {
  readonly sizeMin?: number;
  readonly sizeMax?: number;
}

const types = { f: 'file', d: 'directory', l: 'symlink', c: 'char', b: 'block', p: 'fifo' } as const;

/** `varve find REV [PATH] --name GLOB …` */
export function findCommand(run: Run): Command {
  const command = new Command('find')
    .description("Finds entries of a commit's union tree; what is asked for must all hold. Indexes alone are read.")
    .argument('[rev]', 'a branch, tag, id or revision, with :PATH if you like', 'HEAD')
    .argument('[path]', 'where to look; default: everywhere')
    .option('--name <glob>', 'the last component: * ? [a-z] [!a-z]')
    .option('--sha256 <hex>', 'the first digits, four or more, of the sha256 of its content', readHex)
    .option('--size <bytes>', 'so many bytes; +N more, -N fewer; k, M and G are powers of 1024', readSize)
    .option('--setuid', 'files with the setuid or setgid bit')
    .addOption(new Option('--type <letter>', 'as find has it').choices(Object.keys(types)))
    .action(
      run<Options>(async (session, { name, sha256, size, setuid, type }, [text = 'HEAD', more]) => {
        const { rev, path } = revisionAndPath(text, more);
        const { output, client } = session;
        const repo = await session.repository();
        const kind = type === undefined ? undefined : types[type as keyof typeof types];
        const query = { rev, path, name, sha256, ...size, setuid, type: kind };
        await output.page(process.env);
        for await (const line of client.files.find(repo, query)) {
          if (line.type === 'head' && line.warning !== null) output.warn(line.warning);
          if (line.type === 'entry') {
            await output.entry(line.entry, (entry) => nameText(entry, pathText(entry), output.paint));
          }
        }
      }),
    );
  return withHelp(command, ['varve find main --setuid', "varve find v2 usr --name '*.so*' --size +1M"], [2, 3, 5, 7]);
}

function readHex(text: string): string {
  const hex = text.replace(/^sha256:/, '').toLowerCase();
  if (!/^[0-9a-f]{4,64}$/.test(hex)) throw new InvalidArgumentError('It is not 4 to 64 hex digits.');
  return hex;
}

const powers = { '': 1, c: 1, k: 2 ** 10, M: 2 ** 20, G: 2 ** 30 } as const;

function readSize(text: string): SizeRange {
  const [, sign, digits, unit] = /^([+-]?)(\d{1,15})([ckMG]?)$/.exec(text) ?? [];
  const bytes = Number(digits) * powers[(unit ?? '') as keyof typeof powers];
  if (!Number.isSafeInteger(bytes) || (sign === '-' && bytes === 0)) {
    throw new InvalidArgumentError('It is not a size such as 512, +1M or -4k.');
  }
  if (sign === '+') return { sizeMin: bytes + 1 };
  return sign === '-' ? { sizeMax: bytes - 1 } : { sizeMin: bytes, sizeMax: bytes };
}
