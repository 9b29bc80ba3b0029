import { crc32, deflateRawSync } from "node:zlib";

/** One entry of a zip archive, honest or not. */
export interface ZipEntry {
  path: string;
  text?: string;
  /** Type and permissions as Unix has them; 0 for a zip that was not made on Unix. */
  mode?: number;
  isStored?: boolean;
  /** The number of a way to pack it, whatever was done. */
  method?: number;
  isEncrypted?: boolean;
  /** What is said of it where that is not the truth. */
  claimedBytes?: number;
  claimedCrc?: number;
}

const utf8Flag = 0x800;

/** Makes a zip archive that holds just what is said, also what no zip program would write. */
export function zipOf(...entries: readonly ZipEntry[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const { path, text = "", mode = 0o100644, isStored = false, isEncrypted = false } = entry;
    const bytes = Buffer.from(text);
    const packed = isStored ? bytes : deflateRawSync(bytes);
    const name = Buffer.from(path);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(utf8Flag + Number(isEncrypted), 2);
    common.writeUInt16LE(entry.method ?? (isStored ? 0 : 8), 4);
    common.writeUInt32LE(entry.claimedCrc ?? crc32(bytes), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(entry.claimedBytes ?? bytes.length, 18);
    common.writeUInt16LE(name.length, 22);
    const made = Buffer.from([20, mode === 0 ? 0 : 3]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE((mode << 16) >>> 0, 6);
    place.writeUInt32LE(offset, 10);
    directory.push(Buffer.from("PK\u0001\u0002"), made, common, place, name);
    const local = [Buffer.from("PK\u0003\u0004"), common, name, packed];
    parts.push(...local);
    offset += local.reduce((sum, part) => sum + part.length, 0);
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\u0005\u0006");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, list, end]);
}
