import { Module } from '@nestjs/common';
import { ArchivesController } from './archives.controller.js';
import { AuditController } from './audit.controller.js';
import { BlobsController } from './blobs.controller.js';
import { BranchCommitsController } from './branch-commits.controller.js';
import { DiffController } from './diff.controller.js';
import { EventsController } from './events.controller.js';
import { EventlogController } from './eventlog.controller.js';
import { FsckController } from './fsck.controller.js';
import { HealthController } from './health.controller.js';
import { ImportsController } from './imports.controller.js';
import { JobsController } from './jobs.controller.js';
import { LayersController } from './layers.controller.js';
import { LogController } from './log.controller.js';
import { MaintenanceController } from './maintenance.controller.js';
import { RefsController } from './refs.controller.js';
import { RepositoriesController } from './repositories.controller.js';
import { RootfsController } from './rootfs.controller.js';
import { TarballsController } from './tarballs.controller.js';
import { TreeController } from './tree.controller.js';
import { WatchModule } from '../watch.module.js';

/** The REST door. Whoever imports it provides the ENGINE. */
@Module({
  imports: [WatchModule],
  controllers: [
    HealthController,
    RepositoriesController,
    RefsController,
    LogController,
    EventsController,
    RootfsController,
    TarballsController,
    JobsController,
    TreeController,
    DiffController,
    LayersController,
    BlobsController,
    BranchCommitsController,
    ArchivesController,
    ImportsController,
    MaintenanceController,
    AuditController,
    EventlogController,
    FsckController,
  ],
})
export class RestModule {}
