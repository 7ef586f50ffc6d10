import { BinaryReader } from '@bufbuild/protobuf/wire';
import { descriptorSet } from './gen/descriptor-set.js';

/** Each file of proto/, and what it imports, as an encoded google.protobuf.FileDescriptorProto. */
export function fileDescriptors(): Buffer[] {
  const reader = new BinaryReader(descriptorSet);
  const files: Buffer[] = [];
  while (reader.pos < reader.len) {
    // A FileDescriptorSet has one field: `repeated FileDescriptorProto file = 1`.
    const [field, wireType] = reader.tag();
    if (field === 1) files.push(Buffer.from(reader.bytes()));
    else reader.skip(wireType);
  }
  return files;
}
