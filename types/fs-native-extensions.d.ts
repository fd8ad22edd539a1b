/** The part of fs-native-extensions that this project uses; the package ships no types. */
declare module 'fs-native-extensions' {
  /** Takes an exclusive advisory lock on the whole file; `false` if another process holds one. */
  export function tryLock (fd: number): boolean
  export function unlock (fd: number): void
}
