import { Injectable, type PipeTransform } from '@nestjs/common';
import { type Digest, parseDigest } from '#core/digest';
import { branchRef, parseRepositoryName, parseRefName, type RefName, type RepositoryName } from '#core/name';

/** Path segments, parsed once at the door. */

@Injectable()
export class RepositoryPipe implements PipeTransform<string, RepositoryName> {
  transform(text: string): RepositoryName {
    return parseRepositoryName(text);
  }
}

/** A ref that says whether it is a branch or a tag: what is written to must not be guessed. */
@Injectable()
export class RefPipe implements PipeTransform<string, RefName> {
  transform(text: string): RefName {
    return parseRefName(text);
  }
}

@Injectable()
export class BranchPipe implements PipeTransform<string, RefName> {
  transform(text: string): RefName {
    return branchRef(text);
  }
}

@Injectable()
export class DigestPipe implements PipeTransform<string, Digest> {
  transform(text: string): Digest {
    return parseDigest(text);
  }
}
