import { basename } from 'node:path';
import { openKafkaEventLog } from '#adapters/kafka/kafka-event-log';
import type { EventLog } from '#ports/event-log';
import { type Adapter, describeEach } from './describe-each.js';
import { eventLogContract } from './event-log.contract.js';

const needs = 'VARVE_TEST_KAFKA';
const brokers = (process.env[needs] ?? '').split(',');

/** A topic for each case, named after its folder. */
const open = (partitions: number) => (folder: string) =>
  openKafkaEventLog({ brokers, topic: basename(folder), partitions });

const adapters: readonly Adapter<EventLog>[] = [
  { name: 'kafka', needs, open: open(1) },
  { name: 'kafka, four partitions', needs, open: open(4) },
];

describeEach(eventLogContract, adapters);
