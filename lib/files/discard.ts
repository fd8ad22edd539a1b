import { discard } from '../crypto/discard.js'

export { discard }

// glibc asks the system for the memory of every large buffer, and gives it back, until it has seen one as large as this freed:
// from then on it keeps what is freed for the next one (mallopt(3), M_MMAP_THRESHOLD). Unused, it takes no memory.
discard(new Uint8Array(31 * 2 ** 20))

/** Gives the memory of bytes back unless others lie in the same buffer. */
export function discardOwn ({ buffer, length }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) discard(new Uint8Array(buffer))
}
