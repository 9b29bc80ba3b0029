import { RunletError } from "../errors.ts";
import { guestUser, type SpecOption } from "../oci/spec.ts";

/** A root file system that containers start from. */
export interface Image {
  readonly name: string;
  /** SHA-256, in hexadecimal, of what the image is made of. */
  readonly digest: string;
  readonly kind: "erofs" | "host";
  /** Size of the EROFS file; the host image has none of its own. */
  readonly sizeBytes: number;
  /** Wall clock, milliseconds since the epoch. */
  readonly createdAtMs: number;
  /** Puts the image under a container. */
  readonly root: SpecOption;
  /** What a process in this image needs in its environment, PATH first of all. */
  readonly env: Readonly<Record<string, string>>;
}

/** The names of the images that Runlet makes itself. */
const builtInImages = ["default", "host"] as const;

/** The environment of an image that says nothing else. */
export const defaultEnv = {
  PATH: "/usr/local/bin:/usr/bin:/bin",
  HOME: guestUser.home,
  LANG: "C.UTF-8",
} as const;

const pattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** Tells whether `text` can be the name of an image at all. */
export function isImageName(text: string): boolean {
  return pattern.test(text);
}

/**
 * Checks the name of an image that somebody adds or removes.
 * @throws `invalid_argument` if it is malformed or belongs to a built-in image.
 */
export function requireOwnName(verb: "add" | "remove", name: string): void {
  if (!isImageName(name)) {
    throw new RunletError(
      "invalid_argument",
      `Cannot ${verb} image ${JSON.stringify(name)}: a name has 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit`,
    );
  }
  if ((builtInImages as readonly string[]).includes(name)) {
    throw new RunletError(
      "invalid_argument",
      `Cannot ${verb} image ${JSON.stringify(name)}: the name belongs to a built-in image`,
    );
  }
}
