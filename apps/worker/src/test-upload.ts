/** A multipart upload by the SDK, for tests. */
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";

/** One upload to one key. */
export class Upload {
  readonly #client: S3Client;
  readonly #target: { readonly Bucket: string; readonly Key: string };

  constructor(client: S3Client, bucket: string, key: string) {
    this.#client = client;
    this.#target = { Bucket: bucket, Key: key };
  }

  /** Uploads the bytes in parts of a size. */
  async send(
    body: Buffer,
    partBytes: number,
    settings: Partial<CreateMultipartUploadCommandInput> = {},
  ): Promise<void> {
    const created = await this.#client.send(new CreateMultipartUploadCommand({ ...this.#target, ...settings }));
    const upload = { ...this.#target, UploadId: created.UploadId };
    const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
    for (let at = 0; at < body.length; at += partBytes) {
      const PartNumber = Parts.length + 1;
      const Body = body.subarray(at, at + partBytes);
      const { ETag } = await this.#client.send(new UploadPartCommand({ ...upload, PartNumber, Body }));
      Parts.push({ PartNumber, ETag });
    }
    await this.#client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
  }
}
