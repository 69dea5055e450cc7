use std::io::BufRead;
fn main() {
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        match assay_core::math::parse::parse(&line, &Default::default()) {
            Ok(p) => {
                println!("{line:40} [{}]", p.canonical);
                for r in p.readings {
                    let kind = format!("{r:?}");
                    println!("      {:10} {}", kind.split('(').next().unwrap(), assay_core::math::render::render(&r));
                }
            }
            Err(e) => println!("{line:40} ERR {e}"),
        }
    }
}
