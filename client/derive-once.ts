import { deriveW, type DeriveW } from '../lib/crypto/password.js'

/** {@link deriveW} for several that need the same w: SPAKE2, and what is kept on the disk. It is derived once, and kept for as long as the function is. */
export function derivingOnce (): DeriveW {
  const derived = new Map<string, ReturnType<DeriveW>>()
  return (password, sid) => {
    const key = `${sid} ${password}`
    const w = derived.get(key) ?? deriveW(password, sid)
    derived.set(key, w)
    return w
  }
}
