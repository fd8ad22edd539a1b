import { call } from './client.js'

export const METRICS_TOKEN = 'metrics-token-that-nobody-guesses'

/**
 * What a server with {@link METRICS_TOKEN} says of itself, over a connection that ends with the answer: of several workers, another one may be asked then.
 *
 * @returns gives the number of one of our series; `undefined` where there is none
 * @throws Error for any other answer
 */
export async function scrape (url: string): Promise<(series: string) => number | undefined> {
  const { status, body } = await call(url, { token: METRICS_TOKEN, headers: { connection: 'close' } })
  if (status !== 200) throw new Error(`the scrape answered ${status}`)
  const lines = String(body['text']).split('\n')
  return (series) => {
    const line = lines.find((line) => line.startsWith(`local_send_${series} `))
    return line === undefined ? undefined : Number(line.split(' ')[1]?.replace('+Inf', 'Infinity'))
  }
}
