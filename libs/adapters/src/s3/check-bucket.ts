import { isVarveError, VarveError } from '#core/error';
import { codeOf, isPassing, s3Error } from './s3-error.js';
import type { S3Options } from './s3-options.js';
import type { S3Requests } from './s3-requests.js';

/**
 * Whether the bucket can be used, told in one sentence that says what to change if not.
 * @throws CONFIG_INVALID (bucket, credentials, region), UNAVAILABLE (the server does not answer)
 */
export async function checkBucket(requests: S3Requests, prefix: string, options: S3Options): Promise<void> {
  try {
    await requests.probe(prefix);
  } catch (error) {
    if (isVarveError(error)) throw error;
    throw refusal(error, options);
  }
}

function refusal(error: unknown, { endpoint, bucket, region, accessKey }: S3Options): VarveError {
  const code = codeOf(error);
  const detail = { endpoint, bucket, code };
  const invalid = (message: string): VarveError => new VarveError('CONFIG_INVALID', message, detail, { cause: error });
  if (isPassing(error)) {
    const why = error instanceof Error && error.message !== '' ? error.message : code;
    return new VarveError(
      'UNAVAILABLE',
      `the S3 server at ${endpoint} does not answer (${why}): start it, or correct endpoint= in the address`,
      detail,
      { cause: error },
    );
  }
  switch (code) {
    case 'NoSuchBucket':
      return invalid(`the S3 server at ${endpoint} has no bucket "${bucket}": create it, or correct the address`);
    case 'InvalidAccessKeyId':
    // versitygw's word.
    case 'XAdminUserNotFound':
      return invalid(
        `the S3 server at ${endpoint} does not know the access key "${accessKey}": correct AWS_ACCESS_KEY_ID`,
      );
    case 'SignatureDoesNotMatch':
      return invalid(`the secret of access key "${accessKey}" is wrong for ${endpoint}: correct AWS_SECRET_ACCESS_KEY`);
    case 'InvalidToken':
    case 'InvalidTokenId':
    case 'ExpiredToken':
      return invalid(`the session token is wrong or over (${code}): renew AWS_SESSION_TOKEN`);
    case 'AccessDenied':
      return invalid(
        `access key "${accessKey}" may not list bucket "${bucket}" at ${endpoint}: give it the rights to list, read, write and delete there`,
      );
    case 'RequestTimeTooSkewed':
      return invalid(`the clocks of this machine and of ${endpoint} differ too much for S3: set them right`);
    case 'AuthorizationHeaderMalformed':
    case 'PermanentRedirect':
      return invalid(`bucket "${bucket}" is not in region "${region ?? ''}" (${code}): correct region= in the address`);
    default:
      return other(error, endpoint, bucket);
  }
}

/** The client refuses names, and what is no S3 server answers what is no S3. */
function other(error: unknown, endpoint: string, bucket: string): VarveError {
  const { message } = s3Error('list', bucket, error);
  return new VarveError(
    'CONFIG_INVALID',
    `bucket "${bucket}" at ${endpoint} cannot be used as a blob store: ${message}; correct the address`,
    { endpoint, bucket },
    { cause: error },
  );
}
