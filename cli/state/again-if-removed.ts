import { hasCode } from '../files/system-error.js'

/** Each time another process would have to remove the folder anew, in the moment between two calls. */
const TRIES = 20

/** Does what makes a folder and something in it once more, where another process of this account has removed the folder in between. */
export async function againIfRemoved <Result> (work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      // Making folders recursively says ENOTDIR where one that it has just found is gone when it looks what it is.
      if (tries === TRIES || !hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
    }
  }
}
