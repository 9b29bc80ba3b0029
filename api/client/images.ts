import type { Image, ImageProgress } from "../schema/image.ts";
import type { Problem } from "../schema/problem.ts";
import { ApiError, ConnectionError } from "./errors.ts";
import { linesOf } from "./lines.ts";
import { Methods, type Page, type PageAfter } from "./methods.ts";
import { pathOf } from "./request.ts";

/** What a client does with images. */
export class ImageMethods extends Methods {
  /** A page of images by name. */
  async images(query: PageAfter = {}): Promise<Page<Image>> {
    return await this.connection.get(pathOf("images"), query);
  }

  /** One image. */
  async getImage(name: string): Promise<Image> {
    return await this.connection.get(pathOf("images", name));
  }

  /** Uploads a tar or an OCI archive as an image. */
  async addImage(
    name: string,
    archive: AsyncIterable<Uint8Array>,
    onProgress: (progress: ImageProgress) => void = () => {},
  ): Promise<Image> {
    const response = await this.connection.send(pathOf("images", name), {
      method: "PUT",
      body: archive,
      headers: { "content-type": "application/x-tar" },
    });
    for await (const line of linesOf(response.stream())) {
      const message = JSON.parse(line) as {
        progress?: ImageProgress;
        image?: Image;
        problem?: Problem;
      };
      if (message.progress) onProgress(message.progress);
      if (message.problem) throw new ApiError(message.problem);
      if (message.image) return message.image;
    }
    throw new ConnectionError(`Cannot add image ${name}: the server's answer ended early`);
  }

  /** Removes an image that was added. */
  async removeImage(name: string): Promise<void> {
    await this.connection.delete(pathOf("images", name));
  }
}
