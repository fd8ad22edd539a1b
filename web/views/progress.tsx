import { useEffect } from 'preact/hooks'
import { formatDuration, formatSize } from '../strings/format.js'
import { strings } from '../strings/index.js'
import type { Gauge } from '../transfer/gauge.js'

/** Milliseconds between two looks at a speed that nothing may add to. */
const LOOK_INTERVAL = 1000

interface OverallProgressProps {
  readonly gauge: Gauge
  readonly label: string
  /** Whether it goes on: where nothing does, speed and time left would be those of before. */
  readonly isMoving: boolean
}

/** How far all of it is: a bar, bytes, speed and time left. */
export function OverallProgress ({ gauge, label, isMoving }: OverallProgressProps) {
  const { done: { value: done }, total: { value: total }, speed: { value: speed }, secondsLeft: { value: left } } = gauge
  const { progress } = strings.value
  const details = [
    total === null ? formatSize(done) : progress.of(formatSize(Math.min(done, total)), formatSize(total)),
    speed === undefined || !isMoving ? '' : progress.speed(formatSize(speed)),
    left === undefined || done === total || !isMoving ? '' : progress.left(formatDuration(left))
  ].filter((part) => part !== '')
  useEffect(() => {
    const timer = setInterval(() => { gauge.flush() }, LOOK_INTERVAL)
    return () => { clearInterval(timer) }
  }, [gauge])
  return (
    <div class='progress'>
      <div class='progress-line'><span>{label}</span><span class='numbers'>{details.join(' · ')}</span></div>
      <Bar done={done} total={total} label={label} />
    </div>
  )
}

/** How far one file is. */
export const FileProgress = ({ gauge, label }: { readonly gauge: Gauge, readonly label: string }) =>
  <Bar done={gauge.done.value} total={gauge.total.value} label={label} />

const Bar = ({ done, total, label }: { readonly done: number, readonly total: number | null, readonly label: string }) =>
  total === null ? <progress aria-label={label} /> : <progress aria-label={label} max={Math.max(1, total)} value={total === 0 ? 1 : Math.min(done, total)} />
