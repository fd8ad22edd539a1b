/** The headers of answers that mean something to who called, as the documents name them. */

import { Type } from 'typebox'

/** Where an upload stands. */
export const UploadStanding = {
  'Upload-Offset': Type.Integer({ description: 'Bytes that are stored: where the next piece begins' }),
  'Upload-Expires': Type.String({ description: 'When it ends unless it goes on, as a date of HTTP' }),
  'Tus-Resumable': Type.String({ description: '1.0.0' })
}

export const UploadBegun = {
  Location: Type.String({ description: 'The path that its pieces go to' }),
  ...UploadStanding
}

export const UploadProgress = {
  ...UploadStanding,
  'Upload-Length': Type.Integer({ description: 'Bytes of the whole upload' }),
  'Upload-Defer-Length': Type.Literal('1', { description: 'Instead of Upload-Length, while nobody knows that' }),
  'Upload-Metadata': Type.String({ description: 'As it was given, where it was' })
}

/** What this server speaks of tus. */
export const TusAbilities = {
  'Tus-Version': Type.String(),
  'Tus-Extension': Type.String({ description: 'Names, with commas between them' }),
  'Tus-Max-Size': Type.Integer({ description: 'Bytes of a file at most' }),
  'Tus-Checksum-Algorithm': Type.String({ description: 'What Upload-Checksum may name, with commas between them' })
}

export const Downloaded = {
  'Content-Disposition': Type.String({ description: 'The file\'s name; in an end-to-end session, its id' }),
  ETag: Type.String({ description: 'For If-Range' }),
  'Accept-Ranges': Type.Literal('bytes', { description: 'Once the length is known' }),
  'Repr-Digest': Type.String({ description: 'SHA-256 of the whole file (RFC 9530), where the server knows it' })
}

export const DownloadedRange = {
  ...Downloaded,
  'Content-Range': Type.String({ description: 'Which bytes these are' })
}

/** Of every answer that says to come again. */
export const ComeAgain = {
  'Retry-After': Type.Integer({ description: 'Seconds to wait' })
}
