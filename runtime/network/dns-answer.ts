import dnsPacket from "dns-packet";
import { isHostName } from "./allow-list.ts";

/** What a name leads to, or that there is no such name. */
export type Resolution =
  | { readonly isFound: true; readonly addresses: readonly string[]; readonly ttlS: number }
  | { readonly isFound: false };

export interface DnsAnswerOptions {
  isAllowed: (name: string) => boolean;
  /** Asks the host's resolver; only for a name that is allowed. A rejection is a failure of the server. */
  resolve: (name: string) => Promise<Resolution>;
}

const codes = { ok: 0, failed: 2, noSuchName: 3, notKnown: 4, refused: 5 } as const;
const truncated = 1 << 9;
const operation = 0xf << 11;
/** What fits into a datagram whose sender says nothing of it, and what is ever sent in one. */
const plainBytes = 512;
const maxDatagramBytes = 1232;
const maxAddresses = 32;

/** A question as it came: a query for one name. */
export interface DnsQuestion {
  readonly packet: dnsPacket.DecodedPacket;
  readonly question: dnsPacket.Question;
}

/** Reads a query; undefined for what is none or is for no host's name, which nobody answers. */
export function readQuestion(message: Buffer): DnsQuestion | undefined {
  try {
    // Room is made for as many records as a message says that it has.
    const counts = [4, 6, 8, 10].map((offset) => message.readUInt16BE(offset));
    if (counts.some((count, index) => count > (maxRecords[index] ?? 0))) return undefined;
    const packet = dnsPacket.decode(message);
    const [question] = packet.questions ?? [];
    if (packet.type !== "query" || question === undefined) return undefined;
    // A name may be of any bytes, a dot within a label among them, and is written into the answer again.
    return isHostName(question.name.toLowerCase()) ? { packet, question } : undefined;
  } catch {
    return undefined;
  }
}

/** Questions, answers, authorities and additional records of a query; the last are options. */
const maxRecords = [1, 0, 0, 2];

/** The answer to a query, for the way that it came. Only IPv4 addresses are told. */
export async function answerTo(
  asked: DnsQuestion,
  transport: "udp" | "tcp",
  options: DnsAnswerOptions,
): Promise<Buffer> {
  const { packet, question } = asked;
  if (((packet.flags ?? 0) & operation) !== 0) return encode(asked, codes.notKnown);
  const name = question.name.toLowerCase();
  if (!options.isAllowed(name) || question.class !== "IN") return encode(asked, codes.refused);
  if (question.type !== "A") return encode(asked, codes.ok);
  try {
    const resolution = await options.resolve(name);
    if (!resolution.isFound) return encode(asked, codes.noSuchName);
    const { addresses, ttlS } = resolution;
    const whole = encode(asked, codes.ok, addresses.slice(0, maxAddresses), ttlS);
    if (transport === "tcp" || whole.length <= datagramBytes(packet)) return whole;
    return encode(asked, codes.ok | truncated);
  } catch {
    return encode(asked, codes.failed);
  }
}

/** The answer where there is too much to do. */
export function failureOf(asked: DnsQuestion): Buffer {
  return encode(asked, codes.failed);
}

function datagramBytes({ additionals }: dnsPacket.DecodedPacket): number {
  const options = additionals?.find((record) => record.type === "OPT");
  return Math.min(Math.max(options?.udpPayloadSize ?? plainBytes, plainBytes), maxDatagramBytes);
}

function encode(
  { packet, question }: DnsQuestion,
  flags: number,
  addresses: readonly string[] = [],
  ttl = 0,
): Buffer {
  const isRecursive = (packet.flags ?? 0) & dnsPacket.RECURSION_DESIRED;
  return dnsPacket.encode({
    type: "response",
    id: packet.id ?? 0,
    flags: dnsPacket.RECURSION_AVAILABLE | isRecursive | flags,
    questions: [question],
    answers: addresses.map((data) => ({ type: "A", class: "IN", name: question.name, ttl, data })),
  });
}
