import { inspect } from 'node:util';
import { parseKafka, parseRedis, parseS3 } from './server-address.js';

const credentials = { AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 'hidden' };

describe('an event log on Kafka', () => {
  it('has brokers, a topic and partitions', () => {
    expect(parseKafka('kafka://a:9092,[::1]:9093/varve.history?partitions=4')).toEqual({
      scheme: 'kafka',
      brokers: ['a:9092', '[::1]:9093'],
      topic: 'varve.history',
      partitionCount: 4,
      replication: null,
    });
    expect(parseKafka('kafka://a:9092/varve?replication=3').replication).toBe(3);
    expect(parseKafka('kafka://a:9092/varve').partitionCount).toBe(16);
  });

  it.each([
    ['kafka://', 'expected kafka://'],
    ['kafka://a/varve', '"a" is not HOST:PORT'],
    ['kafka://a:9092,b:0/varve', '"b:0" is not HOST:PORT'],
    ['kafka://a:9092', '"" is not a topic'],
    ['kafka://a:9092/a/b', '"a/b" is not a topic'],
    ['kafka://a:9092/t?partitions=0', 'partitions is "0"; expected a whole number from 1 to 1000'],
    ['kafka://a:9092/t?acks=1', 'kafka: has no parameter "acks", only partitions and replication'],
  ])('is not %s', (text, message) => {
    expect(() => parseKafka(text)).toThrow(message);
  });
});

describe('a graph on Redis', () => {
  it('has a place, a database and a prefix', () => {
    expect(parseRedis('redis://cache/3?prefix=team-a')).toEqual({
      scheme: 'redis',
      host: 'cache',
      port: 6379,
      isTls: false,
      username: null,
      password: null,
      database: 3,
      prefix: 'team-a',
    });
    expect(parseRedis('rediss://cache').isTls).toBe(true);
    expect(parseRedis('redis://[::1]:7000')).toMatchObject({ host: '::1', port: 7000, database: 0, prefix: 'varve' });
  });

  it('has a password that only who asks for it sees', () => {
    const location = parseRedis('redis://app:p%40ss%2F@cache:7000');
    expect(location).toMatchObject({ username: 'app', host: 'cache', port: 7000 });
    expect(location.password?.reveal()).toBe('p@ss/');
    expect(`${String(location.password)} ${JSON.stringify(location)} ${inspect(location)}`).not.toContain('p@ss');
    expect(parseRedis('redis://:only@cache').username).toBeNull();
  });

  it.each([
    ['redis://', 'expected redis[s]://'],
    ['redis://cache:x', '"cache:x" is not HOST or HOST:PORT'],
    ['redis://cache/main', 'the database is "main"'],
    ['redis://cache?prefix=a:b', 'prefix="a:b" is not'],
    ['redis://:%zz@cache', 'not percent-encoded'],
    ['redis://cache?tls=1', 'redis: has no parameter "tls"'],
  ])('is not %s', (text, message) => {
    expect(() => parseRedis(text)).toThrow(message);
  });
});

describe('a blob store on S3', () => {
  it('has a bucket, a prefix, an endpoint and the credentials of the environment', () => {
    const location = parseS3('s3://blobs/a/b?endpoint=http://127.0.0.1:9000&region=eu-1', credentials);
    expect(location).toMatchObject({
      bucket: 'blobs',
      prefix: 'a/b',
      endpoint: 'http://127.0.0.1:9000',
      publicEndpoint: null,
      region: 'eu-1',
      sweepAfterHours: 6,
    });
    expect(location.credentials.accessKey).toBe('AKIA');
    expect(location.credentials.secretKey.reveal()).toBe('hidden');
    expect(`${JSON.stringify(location)} ${inspect(location, { depth: 9 })}`).not.toContain('hidden');
  });

  it('is at AWS unless another endpoint is given', () => {
    const location = parseS3('s3://blobs?region=eu-west-1&public=https://blobs.example:8443&sweep=24', credentials);
    expect(location).toMatchObject({
      endpoint: 'https://s3.eu-west-1.amazonaws.com',
      publicEndpoint: 'https://blobs.example:8443',
      sweepAfterHours: 24,
    });
  });

  it.each([
    ['s3://', 'expected s3://'],
    ['s3://Blobs', '"Blobs" is not a bucket'],
    ['s3://blobs/a//b', '"a//b" is not a prefix'],
    ['s3://blobs/../b', '"../b" is not a prefix'],
    ['s3://blobs?endpoint=127.0.0.1:9000', 'endpoint is not http://HOST:PORT'],
    ['s3://blobs?endpoint=http://me:secret@host', 'endpoint is not http://HOST:PORT'],
    ['s3://blobs?endpoint=http://host/path', 'endpoint is not http://HOST:PORT'],
    ['s3://blobs?public=blobs.example', 'public is not http://HOST:PORT'],
    ['s3://blobs?region=a/b', 'region="a/b" is not'],
    ['s3://blobs?sweep=0', 'sweep is "0"; expected a whole number from 1 to 720'],
  ])('is not %s', (text, message) => {
    expect(() => parseS3(text, credentials)).toThrow(message);
    expect(() => parseS3(text, credentials)).not.toThrow('secret');
  });

  it('names the credentials that are missing', () => {
    expect(() => parseS3('s3://blobs', { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: '' })).toThrow(
      's3: needs credentials; set AWS_SECRET_ACCESS_KEY',
    );
  });
});
