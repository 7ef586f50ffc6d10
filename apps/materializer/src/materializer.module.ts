import { Module } from '@nestjs/common';
import { MaterializerEngineModule } from '#wiring/materializer.module';

/** From jobs to tarballs. */
@Module({ imports: [MaterializerEngineModule] })
export class MaterializerModule {}
