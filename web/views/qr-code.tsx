import { encode } from 'uqr'

/** Modules of light around the code, without which cameras do not find it. */
const BORDER = 3

/** A QR code: dark on light whatever the colours of the page are, since not every camera reads the opposite. */
export function QrCode ({ text, label }: { readonly text: string, readonly label: string }) {
  const { data, size } = encode(text, { border: BORDER })
  const path = data.flatMap((row, y) => row.flatMap((dark, x) => dark ? [`M${x} ${y}h1v1h-1z`] : [])).join('')
  return (
    <svg class='qr' role='img' aria-label={label} viewBox={`0 0 ${size} ${size}`} shape-rendering='crispEdges'>
      <rect width={size} height={size} fill='#fff' />
      <path d={path} fill='#000' />
    </svg>
  )
}
