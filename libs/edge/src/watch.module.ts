import { Module } from '@nestjs/common';
import { Watchers } from './watchers.js';

/** One count of watches for all doors. Whoever imports it provides the ENGINE. */
@Module({ providers: [Watchers], exports: [Watchers] })
export class WatchModule {}
