import type { ExitCode } from './exit-codes.js'

/** A failure that is told in one sentence. The sentence never holds a passphrase, a token or a key. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: ExitCode

  constructor (sentence: string, exitCode: ExitCode, options?: ErrorOptions) {
    super(sentence, options)
    this.exitCode = exitCode
  }
}
