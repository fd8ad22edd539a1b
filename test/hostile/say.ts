/** One line to whoever started this process. */
export const say = (text: string): void => { process.stdout.write(`${text}\n`) }
