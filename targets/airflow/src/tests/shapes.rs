//! What the steps and dependencies of a flow become.

use flowc_target::testing::options;

use super::{body, emit, emit_with, flow};

#[track_caller]
fn check(lines: &str, expect: &str) {
    let text = emit(&flow(lines));
    assert_eq!(body(&text), expect, "\n{}", body(&text));
}

#[test]
fn a_linear_flow_is_a_chain() {
    check(
        "start: middle
         middle: end
         end:",
        r#"    start = Step(task_id="start")
    middle = Step(task_id="middle")
    end = Step(task_id="end", outlets=[DONE])

    start >> middle >> end
"#,
    );
}

#[test]
fn branches_meet_in_their_join() {
    check(
        "start: a b
         a: c d
         c: inner
         d: inner
         inner join: outer
         b: outer
         outer join: end
         end:",
        r#"    start = Step(task_id="start")
    a = Step(task_id="a")
    c = Step(task_id="c")
    d = Step(task_id="d")
    inner = Step(task_id="inner")
    b = Step(task_id="b")
    outer = Step(task_id="outer")
    end = Step(task_id="end", outlets=[DONE])

    start >> [a, b]
    a >> [c, d] >> inner >> outer >> end
    b >> outer
"#,
    );
}

#[test]
fn a_foreach_of_one_step_is_a_mapped_operator() {
    check(
        "start*: train
         train: pick
         pick join: end
         end:",
        r#"    start = Step(task_id="start", foreach=True)
    train = Step.partial(task_id="train").expand(index=start.output)
    pick = Step(task_id="pick", trigger_rule="none_failed")
    end = Step(task_id="end", outlets=[DONE])

    train >> pick >> end
"#,
    );
}

#[test]
fn a_foreach_of_several_steps_is_a_mapped_group() {
    check(
        "start*: split
         split: a b
         a: merge
         b: merge
         merge join: pick
         pick join: end
         end:",
        r#"    start = Step(task_id="start", foreach=True)

    @task_group(group_id="start-foreach", prefix_group_id=False)
    def _start_foreach(index):
        split = Step(task_id="split", index=index)
        a = Step(task_id="a", index=index)
        b = Step(task_id="b", index=index)
        merge = Step(task_id="merge", index=index)
        split >> [a, b] >> merge
        return merge

    merge = _start_foreach.expand(index=start.output)
    pick = Step(task_id="pick", trigger_rule="none_failed")
    end = Step(task_id="end", outlets=[DONE])

    merge >> pick >> end
"#,
    );
}

#[test]
fn a_foreach_of_foreaches_is_mapped_over_all_index_paths() {
    check(
        "start*: outer
         outer*: middle
         middle*: inner
         inner: i
         i join: m
         m join: o
         o join: end
         end:",
        r#"    start = Step(task_id="start", foreach=True)
    outer = Step.partial(task_id="outer", foreach=True).expand(index=start.output)
    _outer_paths = Paths(task_id="outer-paths", foreach=outer, outer_paths=start.output)
    middle = Step.partial(task_id="middle", foreach=True).expand(index=_outer_paths.output)
    _middle_paths = Paths(task_id="middle-paths", foreach=middle, outer_paths=_outer_paths.output)
    inner = Step.partial(task_id="inner").expand(index=_middle_paths.output)
    i = Step.partial(task_id="i", trigger_rule="none_failed").expand(index=_outer_paths.output)
    m = Step.partial(task_id="m", trigger_rule="none_failed").expand(index=start.output)
    o = Step(task_id="o", trigger_rule="none_failed")
    end = Step(task_id="end", outlets=[DONE])

    inner >> i >> m >> o >> end
"#,
    );
}

#[test]
fn what_follows_an_inner_foreach_is_a_group_of_its_own() {
    check(
        "start*: split
         split: a b
         a*: work
         work: check
         check: collect
         collect join: after
         after: merge
         b: c
         c: merge
         merge join: pick
         pick join: end
         end:",
        r#"    start = Step(task_id="start", foreach=True)

    @task_group(group_id="start-foreach", prefix_group_id=False)
    def _start_foreach(index):
        split = Step(task_id="split", index=index)
        a = Step(task_id="a", index=index, foreach=True)
        b = Step(task_id="b", index=index)
        c = Step(task_id="c", index=index)
        split >> [a, b]
        b >> c
        return a, c

    a, c = _start_foreach.expand(index=start.output)
    _a_paths = Paths(task_id="a-paths", foreach=a, outer_paths=start.output)

    @task_group(group_id="a-foreach", prefix_group_id=False)
    def _a_foreach(index):
        work = Step(task_id="work", index=index)
        check = Step(task_id="check", index=index)
        work >> check
        return check

    check = _a_foreach.expand(index=_a_paths.output)

    @task_group(group_id="start-foreach-2", prefix_group_id=False)
    def _start_foreach_2(index):
        collect = Step(task_id="collect", index=index, trigger_rule="none_failed")
        after = Step(task_id="after", index=index)
        merge = Step(task_id="merge", index=index)
        collect >> after >> merge
        return collect, merge

    collect, merge = _start_foreach_2.expand(index=start.output)
    pick = Step(task_id="pick", trigger_rule="none_failed")
    end = Step(task_id="end", outlets=[DONE])

    check >> collect
    c >> merge >> pick >> end
"#,
    );
}

#[test]
fn steps_look_at_the_choice_of_the_switch_before_them() {
    check(
        "start?: a b c
         a: merge
         b?: d merge
         d: merge
         merge?: merge c
         c: end
         end:",
        r#"    start = Step(task_id="start", switch=True)
    a = Step(task_id="a", when={"start": ["a"]})
    b = Step(task_id="b", switch=True, when={"start": ["b"]})
    d = Step(task_id="d", when={"b": ["d"]})
    merge = Step(
        task_id="merge",
        switch=True,
        when={"start": ["a", "b"]},
        trigger_rule="none_failed",
    )
    c = Step(task_id="c", trigger_rule="none_failed")
    end = Step(task_id="end", outlets=[DONE])

    start >> [a, b, c]
    a >> merge >> c >> end
    b >> [d, merge]
    d >> merge
"#,
    );
}

#[test]
fn a_foreach_that_may_be_passed_by_lists_no_index_paths_then() {
    check(
        "start?: many end
         many*: item
         item?: a b
         a*: work
         work: collect
         collect join: merge
         b: merge
         merge: gather
         gather join: end
         end:",
        r#"    start = Step(task_id="start", switch=True)
    many = Step(task_id="many", foreach=True, when={"start": ["many"]})
    _many_paths = Paths(task_id="many-paths", foreach=many)

    @task_group(group_id="many-foreach", prefix_group_id=False)
    def _many_foreach(index):
        item = Step(task_id="item", index=index, switch=True)
        a = Step(task_id="a", index=index, foreach=True, when={"item": ["a"]})
        b = Step(task_id="b", index=index, when={"item": ["b"]})
        item >> [a, b]
        return a, b

    a, b = _many_foreach.expand(index=_many_paths.output)
    _a_paths = Paths(task_id="a-paths", foreach=a, outer_paths=_many_paths.output)
    work = Step.partial(task_id="work").expand(index=_a_paths.output)

    @task_group(group_id="many-foreach-2", prefix_group_id=False)
    def _many_foreach_2(index):
        collect = Step(
            task_id="collect",
            index=index,
            when={"item": ["a"]},
            trigger_rule="none_failed",
        )
        merge = Step(task_id="merge", index=index, trigger_rule="none_failed")
        collect >> merge
        return collect, merge

    collect, merge = _many_foreach_2.expand(index=_many_paths.output)
    gather = Step(task_id="gather", when={"start": ["many"]}, trigger_rule="none_failed")
    end = Step(task_id="end", trigger_rule="none_failed", outlets=[DONE])

    start >> [many, end]
    work >> collect
    b >> merge >> gather >> end
"#,
    );
}

#[test]
fn a_step_that_all_arms_reach_looks_at_nothing() {
    // A branch's arms end in its join; a chain behind an arm is skipped with it.
    check(
        "start: x y
         x?: a b
         a: c
         c: j
         b: j
         y: j
         j join: end
         end:",
        r#"    start = Step(task_id="start")
    x = Step(task_id="x", switch=True)
    a = Step(task_id="a", when={"x": ["a"]})
    c = Step(task_id="c")
    b = Step(task_id="b", when={"x": ["b"]})
    y = Step(task_id="y")
    j = Step(task_id="j", trigger_rule="none_failed")
    end = Step(task_id="end", outlets=[DONE])

    start >> [x, y]
    x >> [a, b]
    a >> c >> j >> end
    b >> j
    y >> j
"#,
    );
}

#[test]
fn a_foreach_inside_a_branch() {
    check(
        "start: a b
         a*: work
         work: collect
         collect join: merge
         b: merge
         merge join: end
         end:",
        r#"    start = Step(task_id="start")
    a = Step(task_id="a", foreach=True)
    work = Step.partial(task_id="work").expand(index=a.output)
    collect = Step(task_id="collect", trigger_rule="none_failed")
    b = Step(task_id="b")
    merge = Step(task_id="merge")
    end = Step(task_id="end", outlets=[DONE])

    start >> [a, b]
    work >> collect >> merge >> end
    b >> merge
"#,
    );
}

#[test]
fn attributes_become_arguments() {
    check(
        "@retry(times=2, minutes_between_retries=5)
         @timeout(minutes=2)
         start: gpu
         @resources(cpu=0.5, memory=8192, gpu=2)
         gpu: pod
         @kubernetes(image='img:1', secrets=['db'], node_selector='disk=ssd', disk=2048, shared_memory=64, labels={'team': 'ml'})
         pod: end
         end:",
        r#"    start = Step(
        task_id="start",
        retries=5,
        retry_delay=timedelta(minutes=5),
        execution_timeout=timedelta(minutes=13),
    )
    gpu = Step(
        task_id="gpu",
        requests={"cpu": "500m", "memory": "8192Mi"},
        limits={"nvidia.com/gpu": "2"},
    )
    pod_ = Step(
        task_id="pod",
        requests={"ephemeral-storage": "2048Mi"},
        volumes=[
            k8s.V1Volume(
                name="shm",
                empty_dir=k8s.V1EmptyDirVolumeSource(medium="Memory", size_limit="64Mi"),
            ),
        ],
        volume_mounts=[k8s.V1VolumeMount(name="shm", mount_path="/dev/shm")],
        image="img:1",
        env_from=[k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name="db"))],
        node_selector={"disk": "ssd"},
        labels={"team": "ml"},
    )
    end = Step(task_id="end", outlets=[DONE])

    start >> gpu >> pod_ >> end
"#,
    );
}

#[test]
fn wide_foreaches_are_mapped_over_lists_and_blocks() {
    let lines = "start*: a
         a: b c
         b*: work
         work: near
         near join: d
         c: d
         d join: far
         far join: end
         end:";
    let mut options = options();
    options.profile.airflow.foreach_blocks = 3;
    let text = emit_with(&flow(lines), &options).0.unwrap();
    assert!(text.contains("\nBLOCKS = [0, 1, 2]\n"), "{text}");
    assert_eq!(
        body(&text),
        r#"    start = Step(task_id="start", foreach=True)
    _start_paths = Paths(task_id="start-paths", foreach=start)

    @task_group(group_id="start-foreach", prefix_group_id=False)
    def _start_foreach(index, block):
        a = Step(task_id="a", index=index, block=block)
        b = Step(task_id="b", index=index, block=block, foreach=True)
        c = Step(task_id="c", index=index, block=block)
        a >> [b, c]
        return b, c

    b, c = _start_foreach.expand(index=_start_paths.output, block=BLOCKS)
    _b_paths = Paths(task_id="b-paths", foreach=b, outer_paths=_start_paths.output)
    work = Step.partial(task_id="work").expand(index=_b_paths.output, block=BLOCKS)

    @task_group(group_id="start-foreach-2", prefix_group_id=False)
    def _start_foreach_2(index, block):
        near = Step(task_id="near", index=index, block=block, trigger_rule="none_failed")
        d = Step(task_id="d", index=index, block=block, trigger_rule="none_failed")
        near >> d
        return near, d

    near, d = _start_foreach_2.expand(index=_start_paths.output, block=BLOCKS)
    far = Step(task_id="far", trigger_rule="none_failed")
    end = Step(task_id="end", outlets=[DONE])

    work >> near
    c >> d >> far >> end
"#
    );
    // Without a foreach there is nothing to divide.
    let text = emit_with(&flow("start: end\nend:"), &options).0.unwrap();
    assert!(!text.contains("BLOCKS"), "{text}");
}
