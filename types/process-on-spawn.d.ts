/** The part of process-on-spawn that this project uses; the package ships no types. */
declare module 'process-on-spawn' {
  const processOnSpawn: { removeAllListeners (): void }
  export default processOnSpawn
}
