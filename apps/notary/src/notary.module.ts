import { Module } from '@nestjs/common';
import { NotaryEngineModule } from '#wiring/notary.module';

/** From the log to signed trees. */
@Module({ imports: [NotaryEngineModule] })
export class NotaryModule {}
