import { type KafkaLocation, type RedisLocation, type S3Credentials, type S3Location, Secret } from './location.js';

/** How the addresses of servers are written, for the messages of those who wrote them otherwise. */
export const serverAddress = {
  kafka: 'kafka://HOST:PORT[,HOST:PORT]/TOPIC[?partitions=N&replication=N]',
  redis: 'redis[s]://[USER:PASSWORD@]HOST[:PORT][/DATABASE][?prefix=TEXT]',
  s3: 's3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&public=URL&sweep=HOURS]',
} as const;

const partitionsDefault = 16;
const partitionsMax = 1_000;
const replicationMax = 100;
const redisPort = 6_379;
const redisDatabasesMax = 1_000_000;
const regionDefault = 'us-east-1';
const sweepHoursDefault = 6;
const sweepHoursMax = 720;

/** The event log on Kafka. Throws a plain error that says what is wrong; `loadConfig` gathers them. */
export function parseKafka(text: string): KafkaLocation {
  const { authority, path, query } = split('kafka', text, ['partitions', 'replication']);
  const brokers = authority.split(',');
  const wrong = brokers.find((broker) => !hostAndPort(broker));
  if (wrong !== undefined) throw new Error(`"${wrong}" is not HOST:PORT; expected ${serverAddress.kafka}`);
  if (!/^[\w.-]{1,249}$/.test(path) || path === '.' || path === '..') {
    throw new Error(`"${path}" is not a topic: 1 to 249 letters, digits, ".", "_" and "-"`);
  }
  const partitionCount = whole('partitions', query.get('partitions') ?? String(partitionsDefault), 1, partitionsMax);
  const copies = query.get('replication');
  const replication = copies === undefined ? null : whole('replication', copies, 1, replicationMax);
  return Object.freeze({ scheme: 'kafka', brokers: Object.freeze(brokers), topic: path, partitionCount, replication });
}

/** The graph on Redis. User and password are percent-decoded. Throws as `parseKafka` does. */
export function parseRedis(text: string): RedisLocation {
  const { authority, path, query } = split('redis', text, ['prefix']);
  const at = authority.lastIndexOf('@');
  const place = authority.slice(at + 1);
  const found = hostAndPort(place) ?? hostAndPort(`${place}:${redisPort}`);
  if (!found) throw new Error(`"${place}" is not HOST or HOST:PORT; expected ${serverAddress.redis}`);
  const [username, password] = at < 0 ? [null, null] : userInfo(authority.slice(0, at));
  const prefix = query.get('prefix') ?? 'varve';
  if (!/^[\w.-]{1,64}$/.test(prefix)) {
    throw new Error(`prefix="${prefix}" is not 1 to 64 letters, digits, ".", "_" and "-"`);
  }
  const database = path === '' ? 0 : whole('the database', path, 0, redisDatabasesMax);
  const isTls = text.startsWith('rediss:');
  return Object.freeze({ scheme: 'redis', ...found, isTls, username, password, database, prefix });
}

/**
 * The blob store on S3; its credentials come from the variables every S3 tool reads, and so never stand in an address.
 * Throws as `parseKafka` does.
 */
export function parseS3(text: string, environment: Readonly<Record<string, string | undefined>>): S3Location {
  const { authority: bucket, path: prefix, query } = split('s3', text, ['endpoint', 'region', 'public', 'sweep']);
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    throw new Error(`"${bucket}" is not a bucket: 3 to 63 small letters, digits, "." and "-"`);
  }
  if (prefix !== '' && !/^(?!\.)[\w.-]+(?:\/(?!\.)[\w.-]+)*$/.test(prefix)) {
    throw new Error(`"${prefix}" is not a prefix: names of letters, digits, "_", "-" and ".", with "/" between them`);
  }
  const region = query.get('region') ?? regionDefault;
  if (!/^[\w-]{1,64}$/.test(region)) throw new Error(`region="${region}" is not the name of a region`);
  const endpoint = endpointIn('endpoint', query.get('endpoint') ?? `https://s3.${region}.amazonaws.com`);
  const outside = query.get('public');
  const publicEndpoint = outside === undefined ? null : endpointIn('public', outside);
  const sweepAfterHours = whole('sweep', query.get('sweep') ?? String(sweepHoursDefault), 1, sweepHoursMax);
  const credentials = credentialsIn(environment);
  return Object.freeze({
    scheme: 's3',
    bucket,
    prefix,
    endpoint,
    publicEndpoint,
    region,
    sweepAfterHours,
    credentials,
  });
}

function endpointIn(name: string, text: string): string {
  const url = URL.parse(text);
  const isPlain = url?.pathname === '/' && [url.search, url.hash, url.username, url.password].every((part) => !part);
  if (url && isPlain && /^https?:$/.test(url.protocol)) return url.origin;
  throw new Error(`${name} is not http://HOST:PORT or https://HOST[:PORT]`);
}

function credentialsIn(environment: Readonly<Record<string, string | undefined>>): S3Credentials {
  const read = (name: string) => environment[name] || undefined;
  const [accessKey, secretKey] = [read('AWS_ACCESS_KEY_ID'), read('AWS_SECRET_ACCESS_KEY')];
  if (accessKey === undefined || secretKey === undefined) {
    const missing = [
      ...(accessKey === undefined ? ['AWS_ACCESS_KEY_ID'] : []),
      ...(secretKey === undefined ? ['AWS_SECRET_ACCESS_KEY'] : []),
    ];
    throw new Error(`s3: needs credentials; set ${missing.join(' and ')}`);
  }
  const sessionToken = read('AWS_SESSION_TOKEN');
  return Object.freeze({
    accessKey,
    secretKey: new Secret(secretKey),
    sessionToken: sessionToken === undefined ? null : new Secret(sessionToken),
  });
}

interface Split {
  readonly authority: string;
  /** Without the slash before it. */
  readonly path: string;
  readonly query: ReadonlyMap<string, string>;
}

const addressForms = {
  plain: /^[a-z0-9]+:\/\/(?<authority>[^/?#]+)(?:\/(?<path>[^?#]*))?(?:\?(?<query>[^#]*))?$/s,
  /** A password that was not encoded may hold anything. */
  withUser: /^[a-z0-9]+:\/\/(?<authority>(?:.*@)?[^/?#]+)(?:\/(?<path>[^?#]*))?(?:\?(?<query>[^#]*))?$/s,
} as const;

/** Not the URL class: brokers are a list, and a password that was not encoded must not end up in a message. */
function split(scheme: keyof typeof serverAddress, text: string, parameters: readonly string[]): Split {
  const found = addressForms[scheme === 'redis' ? 'withUser' : 'plain'].exec(text);
  if (!found?.groups) throw new Error(`expected ${serverAddress[scheme]}`);
  const { authority = '', path = '', query = '' } = found.groups;
  const given = new Map(new URLSearchParams(query));
  const unknown = [...given.keys()].find((name) => !parameters.includes(name));
  if (unknown !== undefined)
    throw new Error(`${scheme}: has no parameter "${unknown}", only ${parameters.join(' and ')}`);
  return { authority, path, query: given };
}

function hostAndPort(text: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(\[[0-9a-fA-F:.%a-z]+\]|[^:[\]\s/@]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match?.[1] || port < 1 || port > 65_535) return undefined;
  return { host: match[1].replace(/^\[|\]$/g, ''), port };
}

function userInfo(text: string): [string | null, Secret | null] {
  const colon = text.indexOf(':');
  const [user, password] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
  return [user === '' ? null : decoded(user), password === '' ? null : new Secret(decoded(password))];
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Error('user and password are not percent-encoded as they should be');
  }
}

function whole(what: string, text: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new Error(`${what} is "${text}"; expected a whole number from ${min} to ${max}`);
}
