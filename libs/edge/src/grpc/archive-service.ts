import { VarveError } from '#core/error';
import { parsePlatform } from '#core/manifest';
import { branchRef, parseRepositoryName, tagRef } from '#core/name';
import { importRootfs } from '#history/import-rootfs';
import { loadArchive } from '#history/load-archive';
import type { LoadReport } from '#history/load-report';
import {
  ArchiveServiceService,
  type ArchiveServiceServer,
  type LoadReport as LoadReportMessage,
} from '#proto/gen/varve/v1/archive';
import type { Engine } from '../engine.js';
import { renderLoad } from '../rest/answer.js';
import { writeContextOf } from './call.js';
import type { Calls } from './calls.js';
import type { Served } from './served.js';
import { openUpload } from './upload.js';

export function archiveService(engine: Engine, calls: Calls): Served {
  const server: ArchiveServiceServer = {
    load: calls.receive(async (messages, call) => {
      const { header, bytes } = await openUpload(messages, call.signal);
      if (!bytes) throw new VarveError('ARCHIVE_INVALID', 'no bytes follow the header; expected an image archive');
      try {
        const { repo, moveTags, reason, platform } = header;
        const context = writeContextOf(call, { reason, asked: header });
        const wish = {
          source: bytes,
          repo: repo === undefined ? null : parseRepositoryName(repo),
          moveTags,
          platform: platform === undefined ? null : parsePlatform(platform),
        };
        return { report: reportMessage(await loadArchive(engine, wish, context)) };
      } finally {
        await bytes.return(undefined);
      }
    }),
    import: calls.receive(async (messages, call) => {
      const { header, bytes } = await openUpload(messages, call.signal);
      if (!bytes) throw new VarveError('LAYER_INVALID', 'no bytes follow the header; expected a tar');
      try {
        const { tag, changes, message, author, time = null, platform = 'linux/amd64', moveTags, reason } = header;
        const context = writeContextOf(call, { reason, asked: header });
        const wish = {
          source: bytes,
          repo: parseRepositoryName(header.repo),
          ref: tag === undefined ? branchRef('main') : tagRef(tag),
          moveTags,
          changes,
          message,
          author,
          time,
          platform: parsePlatform(platform),
        };
        const { config, ...report } = await importRootfs(engine, wish, context);
        return { report: reportMessage(report), config };
      } finally {
        await bytes.return(undefined);
      }
    }),
  };
  return { definition: ArchiveServiceService, server };
}

function reportMessage(report: LoadReport): LoadReportMessage {
  const { images, repositories, bytesRead, warnings } = renderLoad(report);
  const told = repositories.map(({ position, replayed, ...counts }) => ({
    ...counts,
    written: { position, replayed },
  }));
  return { images, repositories: told, bytesRead, warnings };
}
