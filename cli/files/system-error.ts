/** What the operating system refuses, in words. */
const SENTENCES: Readonly<Record<string, string>> = {
  EACCES: 'you may not do that there',
  EPERM: 'you may not do that there',
  ENOENT: 'there is no such file or folder',
  EEXIST: 'something else is there',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'it is a folder',
  ENOSPC: 'the disk is full',
  EDQUOT: 'your share of the disk is used up',
  EFBIG: 'the file system does not hold files of that size',
  EROFS: 'the file system can only be read',
  ENAMETOOLONG: 'the path is too long',
  ELOOP: 'a part of the path is a symbolic link',
  EMFILE: 'too many files are open',
  EIO: 'the disk failed'
}

/** Whether an error is one of the system's, with one of these codes. */
export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code))

/** The reason of a system's error as the end of a sentence, without a full stop. */
export function sentenceFor (error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return SENTENCES[code] ?? (code === '' ? 'it failed' : code)
}
