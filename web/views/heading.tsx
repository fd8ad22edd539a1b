import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

/** The heading of a view. It takes the focus when the view appears, so that a screen reader begins to read there. */
export function Heading ({ children }: { readonly children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => { heading.current?.focus() }, [])
  return <h1 ref={heading} tabIndex={-1}>{children}</h1>
}
