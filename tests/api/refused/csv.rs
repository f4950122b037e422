use super::{WrongFile, wrong};

const HEADER: &str = "username,emails,importIds,utcOffset,deleted\n";

fn with_header(rows: &str) -> String {
    format!("{HEADER}{rows}")
}

pub fn rows() -> Vec<WrongFile> {
    vec![
        wrong("nothing", "", "other-file", "line 1: the file is empty: choose the one with the users"),
        wrong(
            "no header",
            "ann,ann@corp.example,1,x\n",
            "header",
            "line 1: there is no header: put names such as username,emails,importIds into the first line",
        ),
        wrong(
            "a name that is not quite right",
            "username,emials,importIds\n",
            "unknown-column",
            "line 1: unknown column \"emials\", did you mean \"emails\"? Otherwise give --map, or leave such columns out \
             with --ignore-unknown",
        ),
        wrong(
            "two columns for one field",
            "mail,importIds,e-mail\n",
            "header",
            "line 1: the columns \"mail\" and \"e-mail\" both stand for emails: leave one out with --map 'e-mail='",
        ),
        wrong(
            "no name that is known",
            "colour,shape\nred,round\n",
            "header",
            "line 1: no name of the first row is known (colour, shape): it must hold names such as username, emails, \
             importIds, or be mapped with --map",
        ),
        wrong(
            "a column of --map that is not there",
            with_header("ann,ann@corp.example,1,,\n"),
            "option",
            "line 1: --map names the column \"dept\", which the file does not have: name one of username, emails, \
             importIds, utcOffset, deleted",
        )
        .with("?map=Dept%3Dbio"),
        wrong(
            "too few cells",
            with_header("ann,ann@corp.example,1\n"),
            "cells",
            "line 2: the row has 3 cells where the header has 5: put a delimiter for each empty cell",
        ),
        wrong(
            "too many cells",
            with_header("Lee, Ann,ann@corp.example,1,1,no\n"),
            "cells",
            "line 2: the row has 6 cells where the header has 5: put cells that hold a delimiter into quotation marks",
        ),
        wrong(
            "a value below no name",
            "username,,emails,importIds\nann,x,ann@corp.example,1\n",
            "cells",
            "line 2: cell 2 holds \"x\", but its column has no name: name it in the header (import id 1)",
        ),
        wrong(
            "nobody's address",
            with_header("ann,,1,,\n"),
            "missing",
            "line 2: emails missing of the user \"ann\": give the user an address (import id 1)",
        ),
        wrong(
            "an address twice",
            with_header("ann,ann@corp.example,1,,\nbea,ann@corp.example,2,,\n"),
            "twice",
            "line 3: e-mail \"ann@corp.example\" is that of line 2 too: keep one of the two (import id 2)",
        ),
        wrong(
            "a text for a number",
            with_header("ann,ann@corp.example,1,CET,\n"),
            "value",
            "line 2: utcOffset must be a number such as 5.5, not \"CET\" (import id 1)",
        ),
        wrong(
            "a yes of another language",
            with_header("ann,ann@corp.example,1,,WAHR\n"),
            "value",
            "line 2: deleted must be one of true, yes, 1, false, no and 0, not \"WAHR\" (import id 1)",
        ),
        wrong(
            "a quotation mark that stays open",
            with_header("ann,\"ann@corp.example,1,,\nbea,bea@corp.example,2,,\n"),
            "syntax",
            "line 2: the quotation mark that opens here is never closed: close it, or double it if it belongs to the text",
        ),
        wrong(
            "text behind a quotation mark",
            with_header("\"ann\" lee,ann@corp.example,1,,\n"),
            "syntax",
            "line 2: cell 1 goes on behind its closing quotation mark: double the quotation marks that belong to the text",
        ),
    ]
}
