//! Reading `flowc.toml`, key by key.

use super::*;

fn parse(text: &str) -> (Config, Vec<(Code, String)>) {
    let mut tree = SourceTree::default();
    let file = tree.add("flowc.toml", text);
    let (config, found) = read(&tree, file);
    let marked = |item: &Diagnostic| (item.code, tree.text(item.labels[0].span).to_owned());
    (config, found.iter().map(marked).collect())
}

#[test]
fn every_key_is_read() {
    let (config, found) = parse(
        r#"
        empty_foreach = "join"
        [package]
        include = ["data/*.csv"]
        [profile.prod]
        store = "s3://bucket/x"
        image = "img:1"
        shim_image = "shim:1"
        run_as_user = 1000
        env = { A = "1" }
        labels = { team = "ml" }
        [profile.prod.step-functions]
        region = "eu-central-1"
        account = "000000000001"
        job_queue = "q"
        image = "batch:1"
        job_role = "arn:aws:iam::000000000001:role/j"
        execution_role = "arn:aws:iam::000000000001:role/e"
        state_machine_role = "arn:aws:iam::000000000001:role/s"
        scheduler_role = "arn:aws:iam::000000000001:role/c"
        event_bus = "arn:aws:events:eu-central-1:000000000001:event-bus/team/x"
        events_role = "arn:aws:iam::000000000001:role/d"
        max_concurrency = 7
        foreach = "inline"
        [profile.prod.argo]
        context = "admin@prod"
        namespace = "ml"
        service_account = "runner"
        image = "argo:1"
        image_pull_secrets = ["pull"]
        secrets = ["keys"]
        node_selector = { pool = "big" }
        parallelism = 9
        [profile.prod.airflow]
        dags = "s3://bucket/dags"
        url = "https://airflow.example.com"
        namespace = "ml"
        service_account = "runner"
        image = "airflow:1"
        image_pull_policy = "IfNotPresent"
        image_pull_secrets = ["pull"]
        node_selector = { pool = "big" }
        kubernetes_conn_id = "cluster"
        pool = "small"
        owner = "team"
        tags = ["nightly"]
        max_active_runs = 1
        max_active_tasks = 8
        foreach_blocks = 4
        startup_timeout_s = 300
        [profile.other]
        empty_foreach = "fail"
        "#,
    );
    assert_eq!(found, []);
    assert_eq!(config.include[0].value, "data/*.csv");
    let prod = config.profile(Some("prod")).unwrap();
    assert_eq!(prod.empty_foreach, EmptyForeach::Join);
    assert_eq!(*prod.store, "s3://bucket/x");
    assert_eq!(prod.run_as_user, Some(1000));
    assert_eq!(*prod.env["A"], "1");
    assert_eq!(*prod.labels["team"], "ml");
    assert_eq!(prod.step_functions.max_concurrency, 7);
    assert_eq!(prod.step_functions.foreach, ForeachMode::Inline);
    assert!(prod.step_functions.event_bus.ends_with(":event-bus/team/x"));
    assert!(prod.step_functions.events_role.is_some());
    assert_eq!(**prod.argo.service_account.as_ref().unwrap(), "runner");
    assert_eq!(**prod.argo.context.as_ref().unwrap(), "admin@prod");
    assert_eq!(prod.argo.parallelism, Some(9));
    let airflow = &prod.airflow;
    assert_eq!(**airflow.image.as_ref().unwrap(), "airflow:1");
    assert_eq!(
        airflow.image_pull_policy,
        Some(ImagePullPolicy::IfNotPresent)
    );
    assert_eq!(airflow.image_pull_secrets[0].value, "pull");
    assert_eq!(*airflow.node_selector["pool"], "big");
    assert_eq!(**airflow.kubernetes_conn_id.as_ref().unwrap(), "cluster");
    assert_eq!(**airflow.pool.as_ref().unwrap(), "small");
    assert_eq!(*airflow.owner, "team");
    assert_eq!(airflow.tags[0].value, "nightly");
    assert_eq!(
        (airflow.max_active_runs, airflow.max_active_tasks),
        (Some(1), Some(8))
    );
    assert_eq!(airflow.foreach_blocks, 4);
    assert_eq!(airflow.startup_timeout_s, 300);
    assert_eq!(
        config.profile(Some("other")).unwrap().empty_foreach,
        EmptyForeach::Fail
    );
    assert_eq!(
        config.profile(None).unwrap().empty_foreach,
        EmptyForeach::Join
    );
}

#[test]
fn mistakes_are_marked() {
    let (_, found) = parse(
        "stor = 1\n[profile.x]\nstor = 's3://bucket'\nimage = 3\nenv = { FLOWC_RUN = 'x' }\n",
    );
    assert_eq!(
        found,
        [
            (Code::FC0303, "stor".to_owned()),
            (Code::FC0303, "stor".to_owned()),
            (Code::FC0304, "3".to_owned()),
            (Code::FC0304, "FLOWC_RUN".to_owned()),
        ]
    );
    let (_, found) = parse("profile = 3");
    assert_eq!(found, [(Code::FC0304, "3".to_owned())]);
    let (_, found) = parse("[profile.x.argo]\nparallelism = 0\n");
    assert_eq!(found, [(Code::FC0304, "0".to_owned())]);
    let (_, found) = parse("[profile.x]\nrun_as_user = 0\n");
    assert_eq!(found, [(Code::FC0304, "0".to_owned())], "root");
    let (_, found) = parse("a = = 1");
    assert_eq!(found[0].0, Code::FC0001);
}

#[test]
fn an_unknown_profile_gets_a_suggestion() {
    let (config, _) = parse("[profile.prod]\n");
    let error = config.profile(Some("prot")).unwrap_err();
    assert_eq!(error.code, Code::FC0305);
    assert_eq!(error.help.as_deref(), Some("did you mean `prod`?"));
    assert!(Config::default().profile(Some("x")).is_err());
    assert_eq!(Config::default().profile(None).unwrap(), Profile::default());
}
