/**
 * The container format of protocol local-send/1, section 5: all of it that other modules use, in one place.
 *
 * container-header.ts holds the header and its keys, container-sizes.ts the arithmetic, container-chunks.ts sealing and opening
 * of single chunks, container-stream.ts whole containers and ranges as streams.
 */

export { CONTAINER, HEADER_SIZE, TAG_SIZE, checkHeader, newSalt, type Expectations, type Writer } from './container-header.js'
export { CHUNK_LOG2, MAX_PLAINTEXT, chunkCount, chunkSpan, containerSize, plaintextSize, type ChunkSpan } from './container-sizes.js'
export { createSealer, openContainer, sealAgainAsLast, type Opener, type Sealer, type SealerOptions } from './container-chunks.js'
export { openRange, openStream, sealStream } from './container-stream.js'
