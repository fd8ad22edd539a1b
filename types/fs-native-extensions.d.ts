/** The part of fs-native-extensions that this project uses; the package ships no types. */
declare module 'fs-native-extensions' {
  /** Takes an advisory lock, exclusive unless shared, on the whole file (offset and length 0); `false` if another process holds one that excludes it. */
  export function tryLock (fd: number, offset?: 0, length?: 0, options?: { readonly shared: boolean }): boolean
  export function unlock (fd: number): void
}
