// A page's heading: gives the document its title, and takes the focus when the page opens.
import { type ReactNode, useEffect, useRef } from "react";

export function Heading(props: { title: string; children?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${props.title} · Fairlead`;
    heading.current?.focus({ preventScroll: true });
  }, [props.title]);
  return (
    <header className="heading">
      <h1 ref={heading} tabIndex={-1}>
        {props.title}
      </h1>
      {props.children}
    </header>
  );
}
