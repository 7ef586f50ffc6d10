import { createHash } from 'node:crypto';
import { Client } from 'minio';
import { type AppName, AppProcess } from './app-process.js';

/** Where one history lives on the servers: a topic, a prefix of keys, a prefix of objects, all of its own. */
export interface Realm {
  readonly name: string;
  /** The addresses, as the settings of every process. */
  readonly env: Readonly<Record<string, string>>;
  readonly s3: {
    readonly endpoint: string;
    readonly bucket: string;
    readonly prefix: string;
    readonly accessKey: string;
    readonly secretKey: string;
  };
}

const bucket = 'varve-journeys';

/** The realm that goes with a name, always the same one; its bucket is made when it is not there. */
export async function realmOf(text: string, partitions = 1): Promise<Realm> {
  const name = `j${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
  const [brokers, redis, endpoint] = ['VARVE_TEST_KAFKA', 'VARVE_TEST_REDIS', 'VARVE_TEST_S3'].map(setting);
  const s3 = {
    endpoint: endpoint as string,
    bucket,
    prefix: name,
    accessKey: setting('AWS_ACCESS_KEY_ID'),
    secretKey: setting('AWS_SECRET_ACCESS_KEY'),
  };
  await makeBucket(s3);
  const env = {
    VARVE_EVENT_LOG: `kafka://${brokers}/${name}?partitions=${partitions}`,
    VARVE_GRAPH: `${redis}?prefix=${name}`,
    VARVE_BLOB_STORE: `s3://${bucket}/${name}?endpoint=${endpoint}`,
  };
  return { name, env, s3 };
}

/** Starts a process in a realm and waits until it is ready. */
export async function startApp(
  app: AppName,
  realm: Realm,
  env: Readonly<Record<string, string>> = {},
): Promise<AppProcess> {
  const started = new AppProcess({ app, env: { ...realm.env, ...env } });
  await started.ready();
  return started;
}

function setting(name: string): string {
  const value = process.env[name];
  if (value) return value;
  throw new Error(`${name} is not set: start the servers with scripts/services.sh up, and take what it prints`);
}

async function makeBucket({ endpoint, accessKey, secretKey }: Realm['s3']): Promise<void> {
  const { hostname, port } = new URL(endpoint);
  const client = new Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey, secretKey });
  try {
    await client.makeBucket(bucket);
  } catch (error) {
    if (!/AlreadyOwnedByYou|AlreadyExists/.test(String((error as { code?: unknown }).code))) throw error;
  }
}
