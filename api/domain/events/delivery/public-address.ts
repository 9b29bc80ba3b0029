import { lookup, type LookupAddress } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { isPublicAddress } from "../../../../runtime/network/special-addresses.ts";
import { RunletError } from "../../errors.ts";

/** @throws `failed_precondition` for a host that is an address and not a public one; a name is looked up later. */
export function assertPublicHost(hostname: string): void {
  const address = hostname.replace(/^\[(.*)\]$/, "$1");
  if (isIP(address) !== 0 && !isPublicAddress(address)) throw notPublic(hostname);
}

/** Looks a name up for a connection, which is made to nothing else: those of its addresses that are public. */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, []);
    const open = addresses.filter(({ address }: LookupAddress) => isPublicAddress(address));
    const [first] = open;
    if (first === undefined) return callback(notPublic(hostname), []);
    if (options.all === true) callback(null, open);
    else callback(null, first.address, first.family);
  });
};

function notPublic(hostname: string): RunletError {
  return new RunletError(
    "failed_precondition",
    `Cannot send to ${hostname}: it is no address of the public Internet. Have the operator set RUNLET_ALLOW_PRIVATE_CALLBACKS if it may be told`,
  );
}
