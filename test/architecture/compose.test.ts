import { existsSync, readFileSync } from 'node:fs';
import { loadConfig } from '#wiring/config';
import type { Role } from '#wiring/role';

const compose = readFileSync('docker-compose.yml', 'utf8');
const required = [...new Set([...compose.matchAll(/\$\{(\w+):\?/g)].map((match) => match[1] as string))];
const processes = ['gateway', 'projector', 'materializer', 'notary'] as const satisfies readonly Role[];

/** Every `NAME: value` of the addresses all processes share, with what `.env` would put into them. */
function addresses(): Record<string, string> {
  const shared = /environment: &addresses\n((?: {4}\w+: .*\n)+)/.exec(compose)?.[1] ?? '';
  const pairs = [...shared.matchAll(/^ {4}(\w+): (.*)$/gm)].map((match) => [match[1] as string, match[2] as string]);
  return Object.fromEntries(pairs.map(([name, value]) => [name, value?.replace(/\$\{\w+:\?[^}]*\}/g, 'secret')]));
}

describe('docker-compose.yml', () => {
  it.each(processes)('gives a %s settings that it starts with', (role) => {
    const { eventLog, graph, blobStore } = loadConfig(addresses(), role);
    expect([eventLog.scheme, graph.scheme, blobStore.scheme]).toEqual(['kafka', 'redis', 's3']);
    expect(compose).toContain(`dist/apps/${role}/src/main.js`);
    expect(existsSync(`apps/${role}/src/main.ts`)).toBe(true);
  });

  it('publishes nothing beyond loopback', () => {
    const published = [...compose.matchAll(/ports:\n((?: +- .*\n)+)/g)].flatMap((match) =>
      (match[1] ?? '').trim().split(/\n\s*/),
    );
    expect(published.length).toBeGreaterThan(0);
    expect(published.filter((port) => !/^- '127\.0\.0\.1:\d+:\d+'$/.test(port))).toEqual([]);
  });

  it('has no secret in it: each comes from the environment, and .env.example names it', () => {
    const example = readFileSync('.env.example', 'utf8');
    expect([...example.matchAll(/^(\w+)=$/gm)].map((match) => match[1] as string).toSorted()).toEqual(
      required.toSorted(),
    );
    const literal = [...compose.matchAll(/^ +\w*(?:PASSWORD|SECRET|ACCESS_KEY|USER)\w*: (?!\$\{\w+:\?).*$/gm)];
    expect(literal.map(([line]) => line.trim())).toEqual([]);
  });
});
