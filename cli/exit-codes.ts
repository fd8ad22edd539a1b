/** What the command ends with. Scripts rely on these numbers: they never change their meaning (docs/cli.md). */
export const EXIT = {
  done: 0,
  failure: 1,
  usage: 2,
  wrongPassphrase: 3,
  nobodyThere: 4,
  declined: 5,
  someFailed: 6,
  interrupted: 130
} as const

export type ExitCode = typeof EXIT[keyof typeof EXIT]

/** The table as help and documentation show it. */
export const EXIT_MEANINGS: ReadonlyArray<readonly [ExitCode, string]> = [
  [EXIT.done, 'done: everything was sent and received'],
  [EXIT.failure, 'failed: the server cannot be reached, a folder cannot be read, a file cannot be written, a limit'],
  [EXIT.usage, 'the command line is wrong'],
  [EXIT.wrongPassphrase, 'the code or the passphrase is wrong, or somebody sits in between'],
  [EXIT.nobodyThere, 'there is no such session, it has ended, or nobody answered'],
  [EXIT.declined, 'declined, here or on the other side'],
  [EXIT.someFailed, 'some files could not be transferred, or none of them'],
  [EXIT.interrupted, 'interrupted (Ctrl-C)']
]
