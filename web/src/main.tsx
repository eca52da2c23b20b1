import { render } from "preact";
import "./theme";
import "./style.css";
import { App } from "./app";

render(<App />, document.getElementById("app") as HTMLElement);
